local config = io.open("/etc/passwd")
