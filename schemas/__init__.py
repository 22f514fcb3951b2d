"""The vocabulary: the one canonical model that every source is translated to and every sink from."""
