"""What the pytest plugin loads once a fixture is used: servers, the repositories of a test, and faults.

Rules of the room: tests of users run on what is here, so every failure of the setup names what to do. No secret is in a
`repr`, an argument of a process, or a message.
"""
