"""The real device over HTTPS: knows bytes, percent scales and certificates, and never the loop or the plan."""
