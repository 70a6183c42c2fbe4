"""A PyTorch perceptron on 8 x 8 digits: how few levels does each of its layers need to keep 99 % of its recognition?

Needs PyTorch: pip install "fewlevels[networks,datasets]" torch onnxscript
"""

import torch

import fewlevels

training, test = fewlevels.load_dataset("digits8")
torch.manual_seed(1)
module = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
x, y = torch.tensor(training.x, dtype=torch.float32), torch.tensor(training.y, dtype=torch.long)
for _ in range(200):  # your own loop
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(module(x), y).backward()
    optimizer.step()

network = fewlevels.from_torch(module, x[:1])
found = fewlevels.fewest_levels(
    network, training, test=test, quantizer=fewlevels.KMeans(), share="layer", alpha=0.99, relative=True, q_max=16
)
quantized = found.quantized_network()
quantized.to_onnx("pytorch_mlp.onnx")
print(f"unquantized: {network.recognition(test):.2%} of {len(test)} test digits")
print(f"{found.q[0]} levels a layer: {quantized.recognition(test):.2%}, stored as pytorch_mlp.onnx")
