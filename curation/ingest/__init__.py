"""Readers: public data sets and tables of any form, into judged pairs."""
