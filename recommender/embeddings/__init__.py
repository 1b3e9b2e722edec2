"""Texts become unit vectors: encoders, what identifies a vector, and centring."""
