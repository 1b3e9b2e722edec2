"""What is learned from everybody's feedback, and how much each part of it counts."""
