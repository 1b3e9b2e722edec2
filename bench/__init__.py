"""Every number of the README, made by `make bench` beside what it is compared with."""
