exports.handler = async () => "commonjs by package.json";
