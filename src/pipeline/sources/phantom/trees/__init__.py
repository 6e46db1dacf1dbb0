"""One module per publisher's layout: the phantom cohort as that publisher's raw tree."""
