"""The demonstration: a whole day from Fix My Street to CRM-CMT on one machine, and a judge who counts."""
