"""Steps as pure functions of tensors: their noise, their graphs, and what runs them."""
