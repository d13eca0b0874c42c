# SPDX-License-Identifier: GPL-2.0
"""The virtual phone's harness: boots it, talks to it, judges it."""
