"""What happens in a pod of Argo before the runner: what its tasks are to be given is found in the bucket."""
