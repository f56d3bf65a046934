exports.handler = async () => "cjs within a module package";
