// RPC URL, private key, shop, token: pays both ways with ethers and prints what it sees, as JSON.
const { Contract, JsonRpcProvider, Wallet, parseEther } = require("ethers");

const ABI = [
  "function transfer(address to, uint256 amount) returns (bool)",
  "function balanceOf(address owner) view returns (uint256)",
  "function decimals() view returns (uint8)",
  "function symbol() view returns (string)",
  "event Transfer(address indexed from, address indexed to, uint256 amount)",
];

async function main(url, key, shop, address) {
  const provider = new JsonRpcProvider(url);
  provider.pollingInterval = 50;
  const wallet = new Wallet(key, provider);
  const token = new Contract(address, ABI, wallet);
  const included = async (sent) => {
    await provider.send("evm_mine", []);
    return sent.wait();
  };

  const native = await included(await wallet.sendTransaction({ to: shop, value: parseEther("0.25") }));
  const transfer = await included(await token.transfer(shop, 1_500_000n));
  const events = await token.queryFilter(token.filters.Transfer(null, shop), 0);
  const reason = await token.transfer.staticCall(shop, 10n ** 30n).catch((error) => error.code);
  const replaced = await wallet
    .sendTransaction({ to: shop, value: 1n, nonce: 0 })
    .catch((error) => error.code);
  const history = await provider.send("eth_feeHistory", ["0x2", "latest", [50]]);
  process.stdout.write(
    JSON.stringify({
      chainId: Number((await provider.getNetwork()).chainId),
      status: [native.status, transfer.status],
      events: events.map((event) => [event.args.from, event.args.to, String(event.args.amount)]),
      logs: transfer.logs.length,
      coins: String(await provider.getBalance(shop)),
      tokens: String(await token.balanceOf(shop)),
      decimals: Number(await token.decimals()),
      symbol: await token.symbol(),
      nonce: await wallet.getNonce(),
      errors: [reason, replaced],
      rewards: history.reward.length,
    }),
  );
  provider.destroy();
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
