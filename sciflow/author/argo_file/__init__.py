"""Manifests of Argo, written by hand or by others, as workflows of ours."""
