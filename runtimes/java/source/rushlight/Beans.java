package rushlight;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Objects out of JSON and into it: by their getters, setters and public fields. */
final class Beans {
    private Beans() {}

    /** Members that a class does not have are left out. */
    static Object read(byte[] json, Type type) {
        try {
            if (json.length == 0) {
                return null;
            }
            return make(Json.read(json), type);
        } catch (ReflectiveOperationException | IllegalArgumentException | ClassCastException wrong) {
            throw new RuntimeException("An error occurred during JSON parsing", wrong);
        }
    }

    static byte[] write(Object value) {
        try {
            return Json.write(plain(value));
        } catch (ReflectiveOperationException wrong) {
            throw new RuntimeException("An error occurred during JSON serialization of response", wrong);
        }
    }

    // Into objects.

    private static Object make(Object value, Type type) throws ReflectiveOperationException {
        if (type instanceof ParameterizedType) {
            ParameterizedType generic = (ParameterizedType) type;
            return makeClass(value, (Class<?>) generic.getRawType(), generic.getActualTypeArguments());
        }
        return makeClass(value, type instanceof Class ? (Class<?>) type : Object.class, new Type[0]);
    }

    private static Object makeClass(Object value, Class<?> type, Type[] arguments) throws ReflectiveOperationException {
        if (value == null) {
            return type.isPrimitive() ? Array.get(Array.newInstance(type, 1), 0) : null;
        }
        if (type == Object.class) {
            return value;
        }
        boolean isList = Collection.class.isAssignableFrom(type) || type.isArray();
        if (value instanceof List && ((List<?>) value).isEmpty() && !isList) {
            // As AWS' client has it, and so are words that an enumeration does not have, and empty texts for objects.
            return null;
        }
        if (value.equals("") && type != byte[].class && !isScalar(type)) {
            return null;
        }
        if (Map.class.isAssignableFrom(type)) {
            return map((Map<?, ?>) value, type, arguments);
        }
        if (Collection.class.isAssignableFrom(type)) {
            return collection((List<?>) value, type, arguments);
        }
        if (type == byte[].class) {
            return Base64.getDecoder().decode((String) value);
        }
        if (type.isArray()) {
            return array((List<?>) value, type.getComponentType());
        }
        if (type == Optional.class) {
            return Optional.ofNullable(make(value, arguments.length > 0 ? arguments[0] : Object.class));
        }
        return isScalar(type) ? scalar(value, type) : bean((Map<?, ?>) value, type);
    }

    private static Object map(Map<?, ?> values, Class<?> type, Type[] arguments) throws ReflectiveOperationException {
        @SuppressWarnings("unchecked")
        Map<Object, Object> map = type.isAssignableFrom(LinkedHashMap.class) ? new LinkedHashMap<>()
            : type.isAssignableFrom(TreeMap.class) ? new TreeMap<>()
            : (Map<Object, Object>) type.getConstructor().newInstance();
        Type key = arguments.length == 2 ? arguments[0] : String.class;
        Type value = arguments.length == 2 ? arguments[1] : Object.class;
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            map.put(make(entry.getKey(), key), make(entry.getValue(), value));
        }
        return map;
    }

    private static Object collection(List<?> values, Class<?> type, Type[] arguments)
        throws ReflectiveOperationException {
        @SuppressWarnings("unchecked")
        Collection<Object> collection = type.isAssignableFrom(ArrayList.class) ? new ArrayList<>()
            : Set.class.isAssignableFrom(type) && type.isAssignableFrom(LinkedHashSet.class) ? new LinkedHashSet<>()
            : (Collection<Object>) type.getConstructor().newInstance();
        Type element = arguments.length == 1 ? arguments[0] : Object.class;
        for (Object value : values) {
            collection.add(make(value, element));
        }
        return collection;
    }

    private static Object array(List<?> values, Class<?> element) throws ReflectiveOperationException {
        Object array = Array.newInstance(element, values.size());
        for (int i = 0; i < values.size(); i++) {
            Array.set(array, i, make(values.get(i), element));
        }
        return array;
    }

    private static boolean isScalar(Class<?> type) {
        return type.isPrimitive() || type.isEnum() || type == String.class || type == CharSequence.class
            || type == Boolean.class || type == Character.class || type == Date.class
            || Number.class.isAssignableFrom(type) || type == java.time.Instant.class;
    }

    @SuppressWarnings("rawtypes")
    private static Object scalar(Object value, Class<?> type) {
        if (value instanceof Map || value instanceof List) {
            throw new IllegalArgumentException("Cannot make a " + type.getName() + " out of an object or a list");
        }
        String text = value.toString();
        if (type == String.class || type == CharSequence.class) {
            return text;
        }
        if (type == Boolean.class || type == boolean.class) {
            return value instanceof Boolean ? value : Boolean.valueOf(text);
        }
        if (type == Character.class || type == char.class) {
            return text.charAt(0);
        }
        if (type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                if (((Enum) constant).name().equals(text)) {
                    return constant;
                }
            }
            return null;
        }
        if (type == java.time.Instant.class) {
            return java.time.Instant.parse(text);
        }
        if (type == Date.class) {
            return value instanceof Number ? new Date(((Number) value).longValue())
                : Date.from(java.time.Instant.parse(text));
        }
        return number(new BigDecimal(text), type);
    }

    private static Object number(BigDecimal number, Class<?> type) {
        if (type == int.class || type == Integer.class) {
            return number.intValue();
        } else if (type == long.class || type == Long.class) {
            return number.longValue();
        } else if (type == double.class || type == Double.class) {
            return number.doubleValue();
        } else if (type == float.class || type == Float.class) {
            return number.floatValue();
        } else if (type == short.class || type == Short.class) {
            return number.shortValue();
        } else if (type == byte.class || type == Byte.class) {
            return number.byteValue();
        } else if (type == BigInteger.class) {
            return number.toBigInteger();
        }
        return number;
    }

    private static Object bean(Map<?, ?> values, Class<?> type) throws ReflectiveOperationException {
        Constructor<?> constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        Object bean = constructor.newInstance();
        for (Map.Entry<?, ?> member : values.entrySet()) {
            set(bean, (String) member.getKey(), member.getValue());
        }
        return bean;
    }

    private static void set(Object bean, String name, Object value) throws ReflectiveOperationException {
        String setter = "set" + name;
        for (Method method : bean.getClass().getMethods()) {
            boolean named = method.getName().equalsIgnoreCase(setter) && name.equals(property(method.getName(), 3));
            if (named && method.getParameterCount() == 1 && !method.isBridge()) {
                method.setAccessible(true);
                call(method, bean, make(value, method.getGenericParameterTypes()[0]));
                return;
            }
        }
        for (Field field : bean.getClass().getFields()) {
            if (field.getName().equals(name) && !Modifier.isFinal(field.getModifiers())) {
                field.setAccessible(true);
                field.set(bean, make(value, field.getGenericType()));
                return;
            }
        }
    }

    // Out of objects.

    private static Object plain(Object value) throws ReflectiveOperationException {
        if (value == null || value instanceof String || value instanceof Number || value instanceof Boolean) {
            return value;
        }
        if (value instanceof Map) {
            Map<String, Object> map = new LinkedHashMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                // As AWS' client has it: nothing is said of what is null.
                if (entry.getValue() != null) {
                    map.put(String.valueOf(entry.getKey()), plain(entry.getValue()));
                }
            }
            return map;
        }
        if (value instanceof Iterable) {
            List<Object> list = new ArrayList<>();
            for (Object element : (Iterable<?>) value) {
                list.add(plain(element));
            }
            return list;
        }
        if (value instanceof byte[]) {
            return Base64.getEncoder().encodeToString((byte[]) value);
        }
        if (value.getClass().isArray()) {
            Object[] elements = new Object[Array.getLength(value)];
            for (int i = 0; i < elements.length; i++) {
                elements[i] = plain(Array.get(value, i));
            }
            return Arrays.asList(elements);
        }
        if (value instanceof Date) {
            return ((Date) value).getTime();
        }
        if (value instanceof Optional) {
            return plain(((Optional<?>) value).orElse(null));
        }
        boolean isText = value instanceof Enum || value instanceof CharSequence || value instanceof Character
            || value.getClass().getName().startsWith("java.time.");
        return isText ? value.toString() : members(value);
    }

    /** What getters and public fields say, unless that is null, in the order of the class' fields, then of names. */
    private static Object members(Object bean) throws ReflectiveOperationException {
        Map<String, Object> found = new TreeMap<>();
        for (Method method : bean.getClass().getMethods()) {
            String name = getter(method);
            if (name != null) {
                method.setAccessible(true);
                found.put(name, plain(call(method, bean)));
            }
        }
        for (Field field : bean.getClass().getFields()) {
            if (!Modifier.isStatic(field.getModifiers()) && !found.containsKey(field.getName())) {
                field.setAccessible(true);
                found.put(field.getName(), plain(field.get(bean)));
            }
        }
        Map<String, Object> ordered = new LinkedHashMap<>();
        for (Field field : bean.getClass().getDeclaredFields()) {
            if (found.containsKey(field.getName())) {
                ordered.put(field.getName(), found.remove(field.getName()));
            }
        }
        ordered.putAll(found);
        ordered.values().removeIf(value -> value == null);
        return ordered;
    }

    private static String getter(Method method) {
        boolean isOfAll = method.getDeclaringClass() == Object.class;
        if (isOfAll || method.getParameterCount() > 0 || Modifier.isStatic(method.getModifiers())
            || method.getReturnType() == void.class || method.isBridge()) {
            return null;
        }
        String name = method.getName();
        if (name.startsWith("get") && name.length() > 3) {
            return property(name, 3);
        }
        boolean isFlag = method.getReturnType() == boolean.class;
        return isFlag && name.startsWith("is") && name.length() > 2 ? property(name, 2) : null;
    }

    /** {@code getFirstName} and {@code setFirstName} are of {@code firstName}, and {@code getURL} of {@code url}. */
    private static String property(String method, int prefix) {
        StringBuilder name = new StringBuilder(method.substring(prefix));
        for (int i = 0; i < name.length() && Character.isUpperCase(name.charAt(i)); i++) {
            name.setCharAt(i, Character.toLowerCase(name.charAt(i)));
        }
        return name.toString();
    }

    private static Object call(Method method, Object bean, Object... arguments) throws ReflectiveOperationException {
        try {
            return method.invoke(bean, arguments);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof RuntimeException) {
                throw (RuntimeException) thrown.getCause();
            }
            throw thrown;
        }
    }
}
