"""How fast the product is beside other tools, on logs that the benchmark makes itself. See README.md."""

FIVE_FIELDS = ("eventTime", "eventSource", "eventName", "eventID", "awsRegion")
"""What the other tools extract of each record; the product and the floor read all of `cloudtrail.RECORD`."""
