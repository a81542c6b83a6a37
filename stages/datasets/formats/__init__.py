"""Readers of the files of one object, one module a format family, behind `stages.datasets.objects`."""
