using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Threading.Tasks;

namespace Rushlight {
    /// <summary>The method that a function's configuration names: `Assembly::Namespace.Type::Method`.</summary>
    internal sealed class Handler {
        private readonly MethodInfo method;
        private readonly object target;
        private readonly object serializer;
        private readonly Type input;
        private readonly Type context;

        private Handler(MethodInfo method, object target, object serializer) {
            this.method = method;
            this.target = target;
            this.serializer = serializer;
            var parameters = method.GetParameters().Select(parameter => parameter.ParameterType).ToList();
            context = parameters.LastOrDefault(IsContext);
            input = parameters.FirstOrDefault(type => !IsContext(type));
            Check(parameters.Count);
        }

        /// <exception cref="LambdaValidationException">It cannot be a handler: the message says why.</exception>
        internal static Handler Load(string handler) {
            var parts = handler.Split(new[] { "::" }, StringSplitOptions.None);
            if (parts.Length != 3) {
                throw Invalid("Invalid lambda function handler: '{0}'. The valid format is 'ASSEMBLY::TYPE::METHOD'.", handler);
            }
            var names = new[] { "assembly", "type", "method" };
            for (var part = 0; part < parts.Length; part++) {
                if (parts[part].Trim().Length == 0) {
                    throw Invalid("Invalid lambda function handler: '{0}', the {1} is missing. The valid format is 'ASSEMBLY::TYPE::METHOD'.", handler, names[part]);
                }
            }
            var assembly = Assembly(parts[0]);
            var type = assembly.GetType(parts[1]);
            if (type == null) {
                throw Invalid("Unable to load type '{0}' from assembly '{1}'.", parts[1], parts[0]);
            }
            var method = Method(type, parts[2], parts[0]);
            CheckMethod(method, type);
            return new Handler(method, method.IsStatic ? null : New(type), Serializer(method, assembly));
        }

        /// <summary>Calls the method, waits for its task, and gives its result as bytes.</summary>
        internal MemoryStream Invoke(Invocation invocation, Log log) {
            var arguments = method.GetParameters().Select(parameter => IsContext(parameter.ParameterType)
                ? Library.Context(parameter.ParameterType, invocation, log)
                : Input(invocation)).ToArray();
            var result = method.Invoke(target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
            var type = method.ReturnType;
            var task = result as Task;
            if (task != null) {
                task.GetAwaiter().GetResult();
                type = type.IsGenericType ? type.GetGenericArguments()[0] : typeof(void);
                result = type == typeof(void) ? null : task.GetType().GetProperty("Result").GetValue(task);
            }
            return Output(type, result);
        }

        private object Input(Invocation invocation) {
            if (typeof(Stream).IsAssignableFrom(input)) {
                return invocation.Payload;
            }
            var deserialize = serializer.GetType().GetInterface(Library.Name + ".ILambdaSerializer").GetMethod("Deserialize");
            return deserialize.MakeGenericMethod(input).Invoke(serializer, BindingFlags.DoNotWrapExceptions, null, new object[] { invocation.Payload }, null);
        }

        private MemoryStream Output(Type type, object result) {
            var bytes = new MemoryStream();
            var stream = result as Stream;
            if (stream != null) {
                using (stream) {
                    stream.CopyTo(bytes);
                }
            } else if (type != typeof(void) && !typeof(Stream).IsAssignableFrom(type)) {
                var serialize = serializer.GetType().GetInterface(Library.Name + ".ILambdaSerializer").GetMethod("Serialize");
                serialize.MakeGenericMethod(type).Invoke(serializer, BindingFlags.DoNotWrapExceptions, null, new[] { result, bytes }, null);
            }
            return bytes;
        }

        private static bool IsContext(Type type) {
            return type.FullName == Library.Name + ".ILambdaContext";
        }

        private static Assembly Assembly(string name) {
            try {
                return AssemblyLoadContext.Default.LoadFromAssemblyName(new AssemblyName(name));
            } catch (FileNotFoundException) {
                throw Invalid("Could not find the specified handler assembly with the file name '{0}'. The assembly should be located in the root of your uploaded .zip file.", name);
            } catch (Exception) {
                throw Invalid("Unable to load assembly '{0}'.", name);
            }
        }

        private static MethodInfo Method(Type type, string name, string assembly) {
            const BindingFlags all = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy;
            var named = type.GetMethods(all).Where(method => method.Name == name).ToList();
            if (named.Count == 0) {
                throw Invalid("Unable to find method '{0}' in type '{1}' from assembly '{2}': Found no methods matching method name '{0}'.", name, type, assembly);
            }
            if (named.Count > 1) {
                throw Invalid(
                    "The method '{0}' in type '{1}' appears to have a number of overloads. To call this method please specify a complete method signature. Possible candidates are:\n{2}.",
                    name, type, string.Join("\n", named));
            }
            return named[0];
        }

        private static void CheckMethod(MethodInfo method, Type type) {
            if (type.ContainsGenericParameters) {
                throw Invalid("The type '{0}' cannot be used as a Lambda Handler type because it is generic. Handler methods cannot be located in generic types. Please specify a handler method in a non-generic type.", type);
            }
            if (method.IsAbstract) {
                throw Invalid("The method '{0}' cannot be used as a Lambda Handler because it is an abstract method. Handler methods cannot be abstract. Please specify a non-abstract handler method.", method);
            }
            if (type.IsAbstract && !method.IsStatic) {
                throw Invalid("The instance method '{0}' cannot be used as a Lambda Handler because its type '{1}' is abstract. Please either use a static handler or specify a type that is not abstract.", method, type);
            }
            if (method.ContainsGenericParameters) {
                throw Invalid("The method '{0}' cannot be used as a Lambda Handler because it is a generic method. Handler methods cannot be generic. Please specify a non-generic handler method.", method);
            }
            if (method.ReturnType == typeof(void) && method.GetCustomAttribute<AsyncStateMachineAttribute>() != null) {
                throw Invalid("The method '{0}' cannot be used as a Lambda Handler because it is an 'async void' method. Handler methods cannot be 'async void'. Please specify a method that is not 'async void'.", method);
            }
        }

        private void Check(int parameters) {
            var type = method.DeclaringType;
            if (parameters > 2) {
                throw Invalid("Method '{0}' of type '{1}' is not supported: the method has more than 2 parameters.", method.Name, type);
            }
            if (parameters == 2 && (context == null || !IsContext(method.GetParameters()[1].ParameterType))) {
                throw Invalid("Method '{0}' of type '{1}' is not supported: the method has 2 parameters, but the second parameter is not of type '{2}'.", method.Name, type, Library.Name + ".ILambdaContext");
            }
            if (input != null) {
                NeedsSerializer(input, "deserialize input");
            }
            var result = method.ReturnType;
            if (typeof(Task).IsAssignableFrom(result)) {
                result = result.IsGenericType ? result.GetGenericArguments()[0] : typeof(void);
            }
            if (result != typeof(void)) {
                NeedsSerializer(result, "serialize output");
            }
        }

        private void NeedsSerializer(Type type, string purpose) {
            if (serializer == null && !typeof(Stream).IsAssignableFrom(type)) {
                throw Invalid(
                    "Could not find the LambdaSerializerAttribute on the assembly '{0}' or method '{1}' while attempting to {2} data of type '{3}'. To use types other than System.IO.Stream as input/output parameters, the assembly or Lambda function should be annotated with {4}.",
                    method.DeclaringType.Assembly.GetName().Name, method.Name, purpose, type, Library.Name + ".LambdaSerializerAttribute");
            }
        }

        private static object New(Type type) {
            // The constructor's own exception is what the caller is to see.
            return Activator.CreateInstance(type, BindingFlags.Public | BindingFlags.Instance | BindingFlags.DoNotWrapExceptions, null, null, null);
        }

        private static object Serializer(MethodInfo method, Assembly assembly) {
            var attributes = method.GetCustomAttributes().Concat(assembly.GetCustomAttributes());
            var attribute = attributes.FirstOrDefault(one => one.GetType().FullName == Library.Name + ".LambdaSerializerAttribute");
            if (attribute == null) {
                return null;
            }
            var property = attribute.GetType().GetProperty("SerializerType");
            var type = property == null ? null : property.GetValue(attribute) as Type;
            if (type == null) {
                throw Invalid("The 'SerializerType' property on attribute class '{0}' is not set.", attribute.GetType().FullName);
            }
            if (type.GetConstructor(Type.EmptyTypes) == null) {
                throw Invalid("The indicated serializer '{0}' does not define a public zero-parameter constructor.", type.FullName);
            }
            if (type.GetInterface(Library.Name + ".ILambdaSerializer") == null) {
                throw Invalid("The '{0}' class is invalid: it does not implement the 'ILambdaSerializer' interface.", type.FullName);
            }
            return New(type);
        }

        private static LambdaValidationException Invalid(string format, params object[] values) {
            return new LambdaValidationException(string.Format(format, values));
        }
    }
}
