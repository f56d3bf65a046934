using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Rushlight {
    /// <summary>
    /// An object whose properties are looked up, or a logger. Public, because classes are derived from it at run time.
    /// </summary>
    public class Implementation : DispatchProxy {
        internal Dictionary<string, Func<Type, object>> Members { get; set; }
        internal Log Log { get; set; }

        protected override object Invoke(MethodInfo method, object[] arguments) {
            if (Log != null) {
                LogCall(method.Name, arguments);
                return null;
            }
            Func<Type, object> member;
            var name = method.Name.StartsWith("get_") ? method.Name.Substring(4) : method.Name;
            if (Members.TryGetValue(name, out member)) {
                return member(method.ReturnType);
            }
            // Of a later version of the library than is known here.
            return method.ReturnType.IsValueType && method.ReturnType != typeof(void) ? Activator.CreateInstance(method.ReturnType) : null;
        }

        /// <summary>Log, LogLine, Log with a level, LogInformation and its like: level, exception, message, arguments.</summary>
        private void LogCall(string name, object[] given) {
            var arguments = new List<object>(given);
            var level = name == "Log" || name == "LogLine" ? null : name.Substring("Log".Length);
            if (arguments.Count > 0 && name == "Log" && (arguments.Count > 1 || arguments[0] is Enum)) {
                level = Convert.ToString(arguments[0]);
                arguments.RemoveAt(0);
            }
            var failure = arguments.OfType<Exception>().FirstOrDefault();
            arguments.Remove(failure);
            var message = arguments.Count > 0 ? Convert.ToString(arguments[0]) : "";
            var values = arguments.Count > 1 ? arguments[1] as object[] : null;
            Log.Write(level ?? (name == "Log" || name == "LogLine" ? "Information" : null), Filled(message, values), failure);
        }

        /// <summary>Puts values into a message in the order in which it names them: `{order}` or `{0}`.</summary>
        private static string Filled(string message, object[] values) {
            if (values == null || values.Length == 0) {
                return message;
            }
            var index = 0;
            return Regex.Replace(message, "\\{@?([A-Za-z0-9_]+)(:[^}]*)?\\}", match => {
                int position;
                var at = int.TryParse(match.Groups[1].Value, out position) ? position : index++;
                if (at >= values.Length) {
                    return match.Value;
                }
                return string.Format(CultureInfo.InvariantCulture, "{0" + match.Groups[2].Value + "}", values[at]);
            });
        }
    }
}
