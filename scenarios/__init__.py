"""Stories: the demo homes, their history, scenarios told through the intake, recorded homes replayed."""
