console.log("during init");
console.error("error during init");
exports.handler = async () => { console.log("during invoke"); };
