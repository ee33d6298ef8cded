raise LookupError("on purpose")
