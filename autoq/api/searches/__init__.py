"""The course of one search."""
