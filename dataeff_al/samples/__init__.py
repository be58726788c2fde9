"""What is labelled: samples, their declared form, pools, codecs and splits."""
