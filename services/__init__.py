"""Where campaigns run: the command line, the actors, the controller."""
