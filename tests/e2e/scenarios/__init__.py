# SPDX-License-Identifier: GPL-2.0
"""The scenarios: each module declares some with harness.scenario."""
