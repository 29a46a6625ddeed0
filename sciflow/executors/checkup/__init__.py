"""Whether an executor works, from its settings to a job that ran: for `sciflow doctor NAME`."""
