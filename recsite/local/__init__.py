"""For one machine without services: embedded servers, models from packages, demo and checks."""
