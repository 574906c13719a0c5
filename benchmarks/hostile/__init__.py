"""How often an instruction in an item's text moves a verdict, with and without our delimiting."""
