"""What a turn costs: hermes_nb beside the bare openai client, and beside its peers. See README.md."""
