"""Scripts that tests run as processes of their own are no tests."""

collect_ignore = ["mesh_in_one.py", "mesh_job.py"]
