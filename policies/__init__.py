"""What may happen: permissions, lifecycles, deadlines, duties, the rule language, refusals."""
