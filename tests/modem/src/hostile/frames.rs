// SPDX-License-Identifier: GPL-2.0
//! Hostile frames towards Linux.
