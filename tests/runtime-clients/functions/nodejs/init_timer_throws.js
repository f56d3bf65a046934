setTimeout(() => { throw new Error("from a timer during init"); }, 10);
exports.handler = () => new Promise((resolve) => setTimeout(() => resolve("late"), 300));
