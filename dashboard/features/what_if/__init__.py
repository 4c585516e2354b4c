"""What if units were off, or stronger?"""
