"""The trackers measured beside one another: a program each, which runs in its tracker's environment and is asked in lines of JSON."""
