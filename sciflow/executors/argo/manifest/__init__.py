"""The graph as a Workflow of Argo. Pure: dictionaries out, nothing sent."""
