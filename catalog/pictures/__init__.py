"""Pictures of items: fetched by a worker from where items say they are, made anew, served by us.

A worker does all of it, so that whoever names an address learns nothing from an answer or its time.
"""
