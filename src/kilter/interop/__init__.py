"""Networks of other frameworks under the doctor's eyes; each framework is imported when one of its networks comes."""
