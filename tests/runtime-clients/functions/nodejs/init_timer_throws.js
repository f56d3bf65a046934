// A timer made while initialising, which throws once an invocation is under way: when is no matter of chance.
let invoked = false;
setInterval(() => {
  if (invoked) throw new Error("from a timer during init");
}, 5);
exports.handler = () => {
  invoked = true;
  return new Promise((resolve) => setTimeout(() => resolve("late"), 300));
};
