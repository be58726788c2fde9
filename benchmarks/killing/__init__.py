"""Campaigns that are killed on purpose: what the record promises, tried on real processes."""
