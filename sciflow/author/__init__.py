"""What a user writes with: ops, workflows, and the references that stand for values not known yet."""
