"""Models: the protocol, Bedrock, the scripted one, and the choice among them."""
