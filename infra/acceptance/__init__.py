"""A site, as the public acceptance suite for AI clouds asks for it: a step prints one JSON object.

`integrations/ai-cloud-validation` has the suite's configuration that calls these steps.
"""
