exports.handler = async () => "package.json is broken";
