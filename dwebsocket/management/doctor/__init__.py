"""What ``manage.py websocket_doctor`` looks at: the machine, the configuration, the servers that
run, and the whole way to an address.
"""
