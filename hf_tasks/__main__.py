from hf_tasks.cli import main

main()
