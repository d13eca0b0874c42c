// SPDX-License-Identifier: GPL-2.0
//! The BAM-DMUX protocol core.
