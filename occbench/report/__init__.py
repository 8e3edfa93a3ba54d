"""Records to tables, figures and the page; pure functions of records."""
